"""Prints the path of a locustfile that only loads the plug-in."""

from pathlib import Path

print(Path(__file__).with_name("plugin_locustfile.py"))
