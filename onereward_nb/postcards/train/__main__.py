"""python -m onereward_nb.postcards.train vae|reader|fill|distilled|describe|reward|onereward|ablations [options]

Imports only what it runs: the processes that draw pictures import this module too.
"""

import sys
from importlib import import_module

SCRIPTS = ("vae", "reader", "fill", "distilled", "describe", "reward", "onereward", "ablations")

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in SCRIPTS:
        sys.exit(f"say what to train: python -m onereward_nb.postcards.train {'|'.join(SCRIPTS)} --help")
    script = sys.argv.pop(1)
    sys.argv[0] += f" {script}"
    import_module(f".{script}", __package__).main()
