// The score of one value: detectors/score.c in JavaScript, with its constants. p10 scores 0.9, the median 0.5.
const ERFC_INVERSE_FIFTH = 0.9061938024368232;

// Abramowitz and Stegun 7.1.26
function errorFunction(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const y = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - y * Math.exp(-x * x));
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export function curve(value, p10, median) {
  let score = 1;
  if (value > 0) {
    score = (1 - errorFunction((Math.log(value / median) * ERFC_INVERSE_FIFTH) / -Math.log(p10 / median))) / 2;
    if (value <= p10) score = clamp(score, 0.9, 1);
    else if (value <= median) score = clamp(score, 0.5, 0.8999999999999999);
    else score = clamp(score, 0, 0.4999999999999999);
  }
  if (score > 0.9) score += 0.05 * (score - 0.9);
  return Math.trunc(100 * score) / 100;
}
