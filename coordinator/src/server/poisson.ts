/** The count up to which the interval is found exactly; above it Byar's approximation is right to a ten-thousandth. */
const exactMax = 100;

/** The normal quantile of 97.5 %. */
const quantile = 1.959964;

/**
 * The 95 % confidence interval of the mean of a Poisson count of which `count` were seen (Garwood 1936; above 100 Byar's
 * approximation, Rothman and Boice 1979). For none it is 0 to 3.69: what was never seen may well happen.
 */
export function poissonInterval(count: number): { readonly low: number; readonly high: number } {
  if (count > exactMax) return { low: byar(count, -quantile), high: byar(count + 1, quantile) };
  const above = count + 6 * Math.sqrt(count + 1) + 6;
  const low = count === 0 ? 0 : meanWhere(0, count, (mean) => atMost(count - 1, mean) > 0.975);
  return { low, high: meanWhere(count, above, (mean) => atMost(count, mean) > 0.025) };
}

/** The probability of seeing at most so many. */
function atMost(count: number, mean: number): number {
  let term = Math.exp(-mean);
  let sum = term;
  for (let each = 1; each <= count; each++) {
    term *= mean / each;
    sum += term;
  }
  return sum;
}

/** Where `isBelow` ceases to hold, by halving. */
function meanWhere(from: number, to: number, isBelow: (mean: number) => boolean): number {
  let low = from;
  let high = to;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (isBelow(middle)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function byar(count: number, normal: number): number {
  return count * (1 - 1 / (9 * count) + normal / (3 * Math.sqrt(count))) ** 3;
}
