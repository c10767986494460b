"""Run by Nuke when its GUI starts: puts the node into the Nodes menu.

Nothing in here may stop Nuke from starting: what is wrong is one line on the console.
"""

try:
    import nuke

    _menu = nuke.menu("Nodes").addMenu("LumiVid")
    _menu.addCommand("LumiVid", "nuke.createNode('LumiVid')")
except Exception as _error:
    print(f"lumivid: the menu cannot be made ({_error}); run `lumivid nuke doctor`")
