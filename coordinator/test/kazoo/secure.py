"""A client on the secure port has what its certificate proves; one on the plain port has not."""

import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.security import make_acl

plain_hosts, secure_hosts, folder, subject = sys.argv[1:5]
plain = KazooClient(hosts=plain_hosts, timeout=5)
secure = KazooClient(
    hosts=secure_hosts,
    timeout=5,
    use_ssl=True,
    ca=folder + "/ca.pem",
    certfile=folder + "/client.pem",
    keyfile=folder + "/client.key",
)
plain.start()
secure.start()
secure.create("/mine", b"x", acl=[make_acl("x509", subject, all=True)])
assert secure.get("/mine")[0] == b"x"
try:
    plain.get("/mine")
    raise AssertionError("the plain client may read")
except NoAuthError:
    pass
secure.stop()
plain.stop()
print("ok")
