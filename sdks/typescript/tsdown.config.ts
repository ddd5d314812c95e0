import { defineConfig } from 'tsdown';

export default defineConfig([
  {
    // The library, for browsers, Node and Deno alike: it may use nothing that only one of them has.
    entry: ['src/index.ts'],
    format: ['esm', 'cjs'],
    platform: 'neutral',
    target: 'es2022',
    dts: true,
  },
  {
    // The program, for Node.
    entry: { 'cli/main': 'src/cli/main.ts' },
    format: ['esm'],
    platform: 'node',
    target: 'node20',
    dts: false,
    clean: false,
    outExtensions: () => ({ js: '.js' }),
  },
]);
