"""The tables of the server's register, each kept by one module: here those of users and keys.

Tables behind one kind of credential alone are kept by its module in ``server.auth``.
"""
