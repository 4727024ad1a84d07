"""AutoMode: within a time that it is given, tries networks and settings, and returns the best as a proven bundle.

``budget``     how long: read, and said again
``facts``      what the pictures are like
``portfolio``  which recipes are worth trying on them, best first
``search``     what has been tried so far, kept on the disk after every decision
``policy``     what to do next: pure, from the search and the time left
``running``    does it, until the policy stops, the time is up or somebody asks
``trials``     the fits themselves
``verdict``    who is best, and how sure that is
``finish``     the bundle of the best, judged once on the pictures kept aside
``story``      what happened, for people
"""
