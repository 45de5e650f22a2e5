/** Bytes of a configuration file: ten thousand times what a full one needs, far below what hurts. */
export const fileMaxBytes = 1_048_576;

/** Levels of nesting that the walk of a file follows; the schema has three. */
export const depthMax = 8;

/** Problems told in one refusal. A file of another program would fill a screen otherwise. */
export const problemsMax = 20;
