"""How a dispatcher tells the web process that live money may be accepted into this run of Redis.

The web process may not read Redis's settings. So the dispatcher, which has read them, leaves a key, and loads a script.
The key can be taken back. The script is in a memory of Redis's that is never saved and not replicated, so that another
server, or the same one started again, perhaps with other settings, does not have it:
https://redis.io/docs/latest/develop/programmability/eval-intro/#script-cache
"""

import hashlib
from typing import Final

MARK: Final = "return 'a dispatcher of Tollgate found that this run of Redis keeps what it acknowledges'"
MARK_HASH: Final = hashlib.sha1(MARK.encode(), usedforsecurity=False).hexdigest()  # the name EVALSHA knows it by
