"""Recipes and rights that stand on sessions: lock, election, ephemerals, sequence, ACLs, transaction, children watch."""

import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NoAuthError, NodeExistsError, NotEmptyError
from kazoo.security import make_digest_acl

hosts = sys.argv[1]
a = KazooClient(hosts=hosts, timeout=2)
b = KazooClient(hosts=hosts, timeout=2)
a.start()
b.start()


def refused(error, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except error:
        return
    raise AssertionError("%s was not refused with %s" % (args, error.__name__))


a.ensure_path("/app/q")
assert [a.create("/app/q/n-", sequence=True)[-10:] for _ in range(3)] == ["%010d" % i for i in range(3)]
refused(NodeExistsError, a.create, "/app/q")
refused(NotEmptyError, a.delete, "/app/q")
refused(BadVersionError, a.set, "/app/q", b"x", version=7)

lock = a.Lock("/app/lock", "a")
other = b.Lock("/app/lock", "b")
assert lock.acquire(timeout=5)
assert not other.acquire(blocking=False)
lock.release()
assert other.acquire(timeout=5)
other.release()

a.ensure_path("/app/p")
heard = []
done = threading.Event()


@a.ChildrenWatch("/app/p")
def children_changed(children):
    heard.append(sorted(children))
    if len(heard) == 3:
        done.set()


for count, name in enumerate(("x", "y"), start=2):
    b.create("/app/p/" + name, b"")
    while len(heard) < count:
        assert not done.wait(0.01) or len(heard) == 3
assert done.wait(5) and heard == [[], ["x"], ["x", "y"]], heard

a.create("/app/locked", b"secret", acl=[make_digest_acl("u", "p", all=True)])
refused(NoAuthError, b.get, "/app/locked")
b.add_auth("digest", "u:p")
assert b.get("/app/locked")[0] == b"secret"

t = a.transaction()
t.create("/app/t", b"1")
t.check("/app/t", 0)
t.set_data("/app/t", b"2")
assert len(t.commit()) == 3 and b.sync("/app/t") and b.get("/app/t")[0] == b"2"

gone = threading.Event()
a.create("/app/mine", ephemeral=True)
assert b.exists("/app/mine", watch=lambda event: gone.set()) is not None
a.stop()
assert gone.wait(5), "the ephemeral outlived its session"
b.stop()
print("ok")
