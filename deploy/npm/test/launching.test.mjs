// Unit tests of the launcher with programs of our own on PATH. Run by tests/launch/test_npm_launcher.py.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { choose, find, missing } from "../bin/launching.mjs";

const BIN = path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "../bin/eks-aiops.mjs");
const VERSION = "0.1.0";
const SAYS = '#!/bin/sh\nprintf "%s\\n" "$0" "$@" >&2\n';

function folder(programs) {
  const made = realpathSync(mkdtempSync(path.join(tmpdir(), "launching-")));
  for (const [name, text] of Object.entries(programs)) writeFileSync(path.join(made, name), text, { mode: 0o755 });
  return made;
}

function run(env, args = ["eks", "a b", "$(x)"]) {
  return spawnSync(process.execPath, [BIN, ...args], { env, encoding: "utf8", timeout: 20_000 });
}

test("uvx is taken before uv, uv before pipx, and each runs the launcher's own version", () => {
  const python = "--python=>=3.11,<3.15";
  const from = `--from=eks-aiops==${VERSION}`;
  const every = folder({ uvx: SAYS, uv: SAYS, pipx: SAYS });
  assert.deepEqual(run({ PATH: every }).stderr.trimEnd().split("\n"), [
    path.join(every, "uvx"), "--quiet", python, from, "eks-aiops", "eks", "a b", "$(x)",
  ]);
  const two = folder({ uv: SAYS, pipx: SAYS });
  assert.deepEqual(choose(VERSION, ["eks"], { PATH: two }), [
    path.join(two, "uv"), ["tool", "run", "--quiet", python, from, "eks-aiops", "eks"],
  ]);
  const one = folder({ pipx: SAYS });
  assert.deepEqual(choose(VERSION, ["eks"], { PATH: one }), [
    path.join(one, "pipx"), ["run", `--spec=eks-aiops==${VERSION}`, "eks-aiops", "eks"],
  ]);
});

test("a Python counts only when it has this very version, and not where another source is named", () => {
  const has = folder({ python3: `#!/bin/sh\n[ "$2" = -c ] && { [ "$4" = ${VERSION} ]; exit $?; }\necho "$@" >&2\n` });
  assert.equal(run({ PATH: has }, ["cost"]).stderr, "-P -m eks_aiops cost\n");
  assert.equal(choose("9.9.9", [], { PATH: has }), null);
  assert.equal(choose(VERSION, [], { PATH: has, EKS_AIOPS_FROM: "/a.whl" }), null);
});

test("EKS_AIOPS_FROM is one argument, whatever stands in it", () => {
  const all = folder({ uvx: SAYS });
  const [, args] = choose(VERSION, ["eks"], { PATH: all, EKS_AIOPS_FROM: "--with evil" });
  assert.equal(args[2], "--from=--with evil");
});

test("without anything that runs it one line on stderr says what to get, stdout stays empty, the code is 127", () => {
  const done = run({ PATH: folder({}) });
  assert.deepEqual([done.status, done.stdout, done.stderr], [127, "", `${missing(VERSION, {})}\n`]);
  assert.match(done.stderr, /^eks-aiops: [^\n]*uvx, uv, pipx or a Python 3\.11\+[^\n]*https:\/\/docs\.astral\.sh\/uv\/[^\n]*\n$/);
});

test("a program that cannot be started is 126, in one line", () => {
  const done = run({ PATH: folder({ uvx: "#!/no/such/interpreter\n" }) });
  assert.equal(done.status, 126);
  assert.match(done.stderr, /^eks-aiops: cannot start [^\n]*\n$/);
});

test("folders of PATH that are relative or hold no such program are passed over", () => {
  const good = folder({ uvx: SAYS });
  const odd = folder({});
  mkdirSync(path.join(odd, "uvx"));
  assert.equal(find("uvx", { PATH: ["", ".", "bin", odd, good].join(":") }), path.join(good, "uvx"));
});

test("the exit code is the child's, and so is the signal that ended it", () => {
  assert.equal(run({ PATH: folder({ uvx: "#!/bin/sh\nexit 7\n" }) }).status, 7);
  assert.equal(run({ PATH: folder({ uvx: "#!/bin/sh\nkill -9 $$\n" }) }).signal, "SIGKILL");
});

test("the child has the launcher's own stdin and stdout", () => {
  const all = folder({ uvx: "#!/bin/sh\nread line; echo \"got $line\"\n" });
  const done = spawnSync(process.execPath, [BIN], { env: { PATH: all }, input: "hello\n", encoding: "utf8" });
  assert.deepEqual([done.stdout, done.stderr, done.status], ["got hello\n", "", 0]);
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  test(`${signal} reaches the child, whose end is the launcher's`, async () => {
    const name = signal.slice(3);
    const wait = "i=0\nwhile [ $i -lt 400 ]; do /bin/sleep 0.05; i=$((i + 1)); done\n";
    const all = folder({ uvx: `#!/bin/sh\ntrap 'echo ${name}; exit 5' ${name}\necho ready\n${wait}` });
    const child = spawn(process.execPath, [BIN], { env: { PATH: all }, stdio: ["pipe", "pipe", "inherit"] });
    let said = "";
    for await (const chunk of child.stdout) {
      said += chunk;
      if (said === "ready\n") child.kill(signal);
    }
    const code = child.exitCode ?? (await new Promise((done) => child.on("exit", done)));
    assert.deepEqual([said, code], [`ready\n${name}\n`, 5]);
  });
}
