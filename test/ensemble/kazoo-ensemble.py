"""kazoo on an ensemble whose leader dies: prints `ready`, waits for a line, goes on, prints `ok`."""

import sys

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss, NodeExistsError
from kazoo.retry import KazooRetry

retry = KazooRetry(max_tries=-1, max_delay=0.5)
zk = KazooClient(hosts=sys.argv[1], timeout=20, connection_retry=retry, command_retry=retry)
zk.start(timeout=30)
session = zk.client_id[0]
zk.create("/kazoo/alive", b"", ephemeral=True, makepath=True)
names = [zk.create("/kazoo/queue/item-", b"%d" % n, sequence=True, makepath=True) for n in range(50)]
assert len(set(names)) == 50
lock = zk.Lock("/kazoo/lock", "the test")
assert lock.acquire(timeout=20)
print("ready", flush=True)
sys.stdin.readline()

for n in range(50):
    while True:
        try:
            zk.create("/kazoo/after-%d" % n, b"")
            break
        except NodeExistsError:
            break
        except ConnectionLoss:
            continue
zk.retry(zk.sync, "/")
assert zk.client_id[0] == session, "the session did not live"
assert zk.exists("/kazoo/alive").ephemeralOwner == session
assert lock.is_acquired and lock.contenders() == ["the test"]
lock.release()
assert set(zk.get_children("/kazoo/queue")) == {name.rsplit("/", 1)[1] for name in names}
events = []
zk.get("/kazoo/alive", watch=events.append)
zk.set("/kazoo/alive", b"changed")
deadline = 100
while not events and deadline:
    zk.handler.sleep_func(0.1)
    deadline -= 1
assert len(events) == 1 and events[0].type == "CHANGED", events
zk.stop()
zk.close()
print("ok", flush=True)
