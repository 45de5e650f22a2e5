/** Characters of what a setting or rule was or became: an entry stays far below a znode's bound. */
export const auditTextMax = 16_384;
