/** Wait before a recipe tries again what failed for another reason than a lost connection. */
export const retryMs = 500;
