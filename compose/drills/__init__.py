"""The drills, a file for each kind of trouble. Numbers are for the order only; any drill can be run alone."""
