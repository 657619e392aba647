// Bundles the extension into dist/extension.js, with the licences of what went into it beside it.
// `--tests` bundles the unit tests into build/ instead; `--watch` keeps going.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import esbuild from 'esbuild';

const shared = { bundle: true, platform: 'node', target: 'node20', format: 'cjs', logLevel: 'warning' };
const extension = {
  ...shared,
  entryPoints: ['src/extension.ts'],
  outfile: 'dist/extension.js',
  external: ['vscode'],
  minify: true,
  metafile: true,
};

/** The licence text of every package that `metafile` says is in the bundle. */
function notices(metafile) {
  const inside = Object.keys(metafile.inputs).map((file) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]);
  return [...new Set(inside)]
    .filter((folder) => folder !== undefined)
    .sort()
    .map((folder) => {
      const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
      if (file === undefined) {
        throw new Error(`${name} comes without a licence file: it cannot be bundled`);
      }
      return `${name} ${version}\n\n${readFileSync(`${folder}/${file}`, 'utf8').trim()}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

if (process.argv.includes('--watch')) {
  const context = await esbuild.context({ ...extension, minify: false, sourcemap: true });
  await context.watch();
} else if (process.argv.includes('--tests')) {
  const entryPoints = readdirSync('test').filter((name) => name.endsWith('.test.ts')).map((name) => `test/${name}`);
  await esbuild.build({ ...shared, entryPoints, outdir: 'build', sourcemap: 'inline' });
} else {
  const { metafile } = await esbuild.build(extension);
  writeFileSync('dist/THIRD-PARTY-NOTICES.txt', notices(metafile));
}
