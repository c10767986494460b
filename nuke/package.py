"""This folder as a rez package: it is one as soon as it lies in a rez repository.

    lumivid nuke install --target PACKAGES/lumivid_nuke/0.1.0 --platform linux,windows
    rez-env nuke lumivid_nuke -- nuke

A test holds its version to that of lumivid-fx.
"""

name = "lumivid_nuke"

version = "0.1.0"

description = "The LumiVid node for Nuke: scene-linear HDR plates from SDR footage."

authors = ["lumivid-fx"]

commands = "env.NUKE_PATH.append('{root}')"
