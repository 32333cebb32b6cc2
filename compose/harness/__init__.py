"""The drills' own tools, on the host: Python's standard library and no more.

cli       what the command line asks for
host      what this machine is like, and what podman must be told because of it
setup     the commands that install what is missing
image     the image, from the files of this machine's packages
world     the containers: up, down, and back to health between two drills
agents    how to speak with what runs inside
lines     faults: cables, losses, silence
daemon    uplinkd in the router: started, stopped, asked, and its papers checked
traffic   what the client sent and what became of it
drill     what a drill is, and the list of all
site      what a drill works with, and promises that are checked by measuring
play      drills, one after the other
table     what is printed at the end
"""
