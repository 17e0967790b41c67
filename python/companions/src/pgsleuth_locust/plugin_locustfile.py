"""For ``locust -f``: loads the plug-in beside locustfiles that stay as they are."""

import pgsleuth_locust.plugin  # noqa: F401
