"""`python -m tests.bench.rendering`: processor seconds of one `make recipe` without make, and of the whole grid."""

import resource
import subprocess
import sys
import time

from recipes.catalog.catalog import backbones, methods
from recipes.render import render_all
from tests.recipes.samples import MANY_ROWS, recipe

ONE = """
from tests.recipes.samples import MANY_ROWS, recipe
from recipes.render import render_all
render_all(recipe("qwen3-8b", "lora", "24gb", data=MANY_ROWS))
"""


def main() -> None:
    """Print both; the process that renders one recipe pays for every import."""
    subprocess.run([sys.executable, "-c", ONE], check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"one recipe, imports included: {used.ru_utime + used.ru_stime:.2f} s of a processor")
    began, count = time.process_time(), 0
    for model in backbones():
        for method in methods():
            render_all(recipe(model, method, "24gb", data=MANY_ROWS))
            count += 1
    seconds = time.process_time() - began
    print(f"{count} recipes: {seconds:.1f} s of a processor, {1000 * seconds / count:.2f} ms each")


if __name__ == "__main__":
    main()
