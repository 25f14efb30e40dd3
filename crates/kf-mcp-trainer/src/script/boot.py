# kubeflow-mcp: unpacks the script in the arguments, installs its packages and starts it.
import base64, fcntl, gzip, json, os, subprocess, sys, tempfile


def say(text):
    sys.stderr.write("kubeflow-mcp: " + text + "\n")
    sys.stderr.flush()


def fail(text):
    say(text)
    sys.exit(1)


def make_directory():
    for place in (None, os.path.expanduser("~"), "/dev/shm"):
        try:
            return tempfile.mkdtemp(prefix="kubeflow-mcp-", dir=place)
        except OSError:
            continue
    fail("no directory can be written to: neither the temporary one nor HOME nor /dev/shm")


def write(name, text):
    path = os.path.join(directory, name)
    with open(path, "wb") as file:
        file.write(text.encode("utf-8"))
    return path


def pip(*words):
    done = subprocess.run([sys.executable, "-m", "pip"] + list(words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode == 0, done.stdout.decode("utf-8", "replace")


def install(packages, indexes):
    for name in ("DISABLE_PIP_VERSION_CHECK", "NO_INPUT", "BREAK_SYSTEM_PACKAGES", "NO_WARN_SCRIPT_LOCATION"):
        os.environ.setdefault("PIP_" + name, "1")
    os.environ.setdefault("PIP_ROOT_USER_ACTION", "ignore")
    # One place for all ranks of a node, which would otherwise install over each other.
    shared = os.path.join(os.path.dirname(directory), "kubeflow-mcp-%d" % os.getuid())
    os.makedirs(shared, mode=0o700, exist_ok=True)
    if not os.access(os.path.expanduser("~"), os.W_OK):
        os.environ.setdefault("PYTHONUSERBASE", os.path.join(shared, "user"))
    with open(os.path.join(shared, "pip.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not pip("--version")[0]:
            subprocess.call([sys.executable, "-m", "ensurepip", "--user"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if not pip("--version")[0]:
                fail("this image has no pip, so the packages cannot be installed: " + ", ".join(packages))
        options = ["install", "--quiet"]
        for place, url in enumerate(indexes):
            options += ["--extra-index-url" if place else "--index-url", url]
        say("installing " + ", ".join(packages))
        good, first = pip(*(options + packages))
        if not good:
            good, second = pip(*(options + ["--user"] + packages))
            if not good:
                sys.stderr.write(first + second)
                fail("pip could not install " + ", ".join(packages))
    say("installed")


task = json.loads(gzip.decompress(base64.b64decode("".join(sys.argv[2:]))).decode("utf-8"))
directory = make_directory()
start = write("training_script.py", task["script"])
if task["entry"]:
    write("func_args.json", json.dumps(task["func_args"]))
    start = write("run_training.py", task["entry"])
if task["packages"]:
    install(task["packages"], task["pip_index_urls"])
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), os.getcwd()]))
os.environ.setdefault("PYTHONUNBUFFERED", "1")
os.execv(sys.executable, [sys.executable] + task["run"] + [start])
