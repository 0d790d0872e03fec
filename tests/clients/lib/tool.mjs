// Hippius's own command-line tools, found on the path.

import { execFile } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs a tool that prints JSON; of one that fails, {code, stderr}. */
export async function tool(program, args, env) {
  try {
    const { stdout } = await run(program, [...args, '--output', 'json'], { env: { ...process.env, ...env } });
    return JSON.parse(stdout);
  } catch (error) {
    if (typeof error.code !== 'number') throw error;
    return { code: error.code, stderr: error.stderr };
  }
}

/** A new file with this text. */
tool.file = async (name, text) => {
  const path = join(await mkdtemp(join(tmpdir(), 'hippius-')), name);
  await writeFile(path, text);
  return path;
};
