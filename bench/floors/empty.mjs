// Nothing. Compiled by Bun it shows what its start takes.
