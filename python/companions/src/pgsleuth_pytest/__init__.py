"""``pytest --pgsleuth``: the tests behind a pgsleuth, and query budgets for tests.

``plugin`` is what pytest loads. ``database`` finds the application's database and points the application at
another place, ``process`` is the running pgsleuth, ``statements`` knows what each test sends, the ``_hooks``
modules tell it, ``results`` reads the report.
"""

from pgsleuth_pytest.statements import Statement

__all__ = ["Statement"]
