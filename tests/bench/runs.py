"""runs: made-up runs of the joint law with noise, as CSV, for what needs many of them."""
import math
import random

# Every column the store fills for a run like these; it makes up the last four where they are left
# out.
HEADER = ('study,name,n_active,n_total,tokens,experts,granularity,loss,seed,weight,final,excluded,'
          'recorded_at\n')
NOISE = 0.006  # of ln loss, as in arXiv 2502.05172
NAME_DIGITS = 7


def loss(n_active, tokens, experts):
    """arXiv 2502.05172, Table 3."""
    e_start, e_max = 2.0732, 290.4521
    effective = 1 / (1 / (experts - 1 + 1 / (1 / e_start - 1 / e_max)) + 1 / e_max)
    ln_e = math.log(effective)
    return (35.91 * effective**-0.2285 * n_active**(-0.1889 + 0.0098 * ln_e) +
            35.98 * effective**0.5529 * tokens**(-0.1775 - 0.0259 * ln_e) + 1.3637)


def csv(study, count, prefix='run'):
    """count runs of distinct names in no order, as bytes. Losses and token counts take all digits a
    double has, as in files that programs write."""
    dice = random.Random(count)
    numbers = list(range(count))
    dice.shuffle(numbers)
    lines = [HEADER]
    for number in numbers:
        d_model, experts = 64 * dice.randint(8, 40), 2**dice.randint(0, 5)
        n_active = 2 * 50257 * d_model + 13 * d_model**3 // 64
        n_total = 2 * 50257 * d_model + (4 + 9 * experts) * d_model**3 // 64
        tokens = n_active * math.exp(dice.uniform(0, 4.2))
        value = loss(n_active, tokens, experts) * math.exp(dice.gauss(0, NOISE))
        lines.append(f'{study},{prefix}-{number:0{NAME_DIGITS}},{n_active},{n_total},{tokens!r},'
                     f'{experts},1,{value!r},{number},1,true,false,2026-11-21T12:00:00Z\n')
    return ''.join(lines).encode()
