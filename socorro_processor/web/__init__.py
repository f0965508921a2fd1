"""``socorro serve``: crashes come in over HTTP, and people look at them. An extra: ``socorro-processor[web]``.

Only ``options`` can be imported without the extra.
"""
