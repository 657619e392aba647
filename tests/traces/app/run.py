import sys

from shop.__main__ import main

sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60))
