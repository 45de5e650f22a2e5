"""A client as users write it: listens, watches a znode that is not there, creates it, and hears of it."""

import sys
import threading

from kazoo.client import KazooClient, KazooState

zk = KazooClient(hosts=sys.argv[1])
states = []


def f(state):
    states.append(state)


zk.add_listener(f)
zk.start()

fired = threading.Event()
events = []


def w(event):
    events.append((event.type, event.path))
    fired.set()


assert zk.exists("/log_management/app", watch=w) is None
assert zk.create("/log_management/app", b"Hello, World!", makepath=True) == "/log_management/app"
assert fired.wait(5), "the watch did not fire"
assert events == [("CREATED", "/log_management/app")], events
data, stat = zk.get("/log_management/app")
assert data == b"Hello, World!" and stat.version == 0
assert states == [KazooState.CONNECTED], states
zk.stop()
assert states[-1] == KazooState.LOST, states
print("ok")
