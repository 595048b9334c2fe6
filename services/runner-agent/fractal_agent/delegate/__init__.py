"""Does for the agent, as one Unix user, what must be done with that user's rights.

Standard library only, Python 3.8 or newer. The agent starts one per user with sudo, as a file of root's without
arguments, and speaks to it through its standard streams: each message is a length in four bytes, big-endian, and so
much JSON. So a file costs no sudo, and the kernel decides what the user may do.

What it is asked for is confined once more here: to the directories that the first message names, through no link that
is put in the way after the path was resolved, and to two commands.
"""
