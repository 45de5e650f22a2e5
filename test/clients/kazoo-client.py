"""A Python program as a ZooKeeper user writes it; prints `ok` or fails."""

import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.protocol.states import EventType

hosts = sys.argv[1]
states = []
fired = threading.Event()
seen = []


def f(state):
    states.append(state)


def w(event):
    seen.append(event)
    fired.set()


zk = KazooClient(hosts=hosts)
zk.start()
zk.add_listener(f)
assert zk.exists("/log_management/app", watch=w) is None
zk.create("/log_management/app", b"Hello, World!", makepath=True)
assert fired.wait(5), "the watch did not fire"
assert seen[0].type == EventType.CREATED and seen[0].path == "/log_management/app"
assert zk.get("/log_management/app")[0] == b"Hello, World!"

# Any ZooKeeper client ships records through the inbox.
for n in range(200):
    zk.create("/logkeep/inbox/default/rec-", b'{"service":"kazoo","host":"h","_msg":"by znode %d"}' % n, sequence=True)
zk.create("/logkeep/inbox/default/rec-", b"only a text", sequence=True)
deadline = time.time() + 10
while zk.get_children("/logkeep/inbox/default") and time.time() < deadline:
    time.sleep(0.05)
assert not zk.get_children("/logkeep/inbox/default"), "the inbox was not drained"
zk.stop()
zk.close()
assert states[-1] == KazooState.LOST, states
print("ok")
