"""Calls train(...) of the script with the arguments of the job."""
import asyncio
import inspect
import json
import os
import sys


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, here)
    with open(os.path.join(here, "func_args.json"), encoding="utf-8") as file:
        arguments = json.load(file)
    import training_script

    result = training_script.train(**arguments)
    if inspect.isawaitable(result):

        async def wait():
            await result

        asyncio.run(wait())


if __name__ == "__main__":
    main()
