"""Who somebody is: credentials of every kind become an ``Identity``. What they may do then is ``core.access``'s matter.

Nothing here speaks HTTP. Time comes in as ``now_ms`` (milliseconds since 1970); randomness is that of ``secrets``.
"""
