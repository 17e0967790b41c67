"""locust beside pgsleuth: ``import pgsleuth_locust.plugin`` in a locustfile, or ``-f`` with one more of them.

    locust -f locustfile.py,$(python -m pgsleuth_locust) --pgsleuth-url 'http://127.0.0.1:6433/?token=...'

``client`` asks pgsleuth, ``report`` reads its answer, ``plugin`` hears locust's events, ``tab`` is for its
page.
"""
