/* mortise/draft/loss_preference.h: a training objective over whole answers. DRAFT: may change until
 * 1.0.
 *
 * Idea. The host computes how likely each answer is under the model that trains and under the one
 * it began as, which is all that a preference loss reads; the loss gives a sum and its slope, and
 * the host carries the slope back through the model. So the loss knows no tokens, no device and no
 * plan: all numbers are doubles in host memory.
 *
 * Answers come as pairs (DPO) or one by one (KTO). The value is a sum over the pairs, or over the
 * answers; the host divides by their count in the whole accumulated batch. A pair is never divided
 * between two calls.
 */
#ifndef MORTISE_DRAFT_LOSS_PREFERENCE_H
#define MORTISE_DRAFT_LOSS_PREFERENCE_H

#include <mortise/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_KIND_LOSS_PREFERENCE "mortise.loss.preference/1"

/* Flags of mortise_preference_facts. */
#define MORTISE_PREFERENCE_PAIRED UINT32_C(1)   /* answers 2 s and 2 s + 1: the better, the worse */
#define MORTISE_PREFERENCE_READS_KL UINT32_C(2) /* the host makes the extra passes for kl */

/* What the host must know of an instance. Filled by the plugin. */
typedef struct mortise_preference_facts {
  uint32_t struct_size;
  uint32_t flags;
  uint64_t reserved[4]; /* zero */
} mortise_preference_facts;

/* S answers of one pass. All arrays are the host's and hold S numbers. */
typedef struct mortise_preference_call {
  uint32_t struct_size;
  uint32_t flags;         /* zero */
  uint64_t answers_count; /* S */
  const double* policy; /* log-probability of each answer under the model: its tokens' sum, <= 0 */
  const double* reference; /* the same under the model it began as */
  const int32_t* tokens;   /* of each answer; from 1 */
  const int32_t* wanted;   /* 1 or 0; in pairs 1, 0, 1, 0, ... */
  double kl;               /* of the whole step, from 0; 0 without MORTISE_PREFERENCE_READS_KL */
  double* loss;            /* one number, written: the sum */
  double* grad_policy;     /* written: dloss/dpolicy */
  double* rewards;         /* written: what each answer earns, for the record of the run */
} mortise_preference_call;

typedef struct mortise_preference_instance mortise_preference_instance;

/* The table of MORTISE_KIND_LOSS_PREFERENCE. */
typedef struct mortise_preference_loss {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* config: JSON object, checked against the plugin's schema. [any] */
  mortise_status (*create)(mortise_text config, mortise_preference_instance** out_instance,
                           mortise_preference_facts* out_facts, mortise_error* error);
  /* NULL is allowed. [serial] */
  void (*destroy)(mortise_preference_instance* instance);

  /* Writes loss, grad_policy and rewards; the same call gives the same bits. Errors:
   * INVALID_ARGUMENT naming the answer whose number is not finite or whose place in its pair is
   * another's. [serial] */
  mortise_status (*evaluate)(mortise_preference_instance* instance,
                             const mortise_preference_call* call, mortise_error* error);
} mortise_preference_loss;

#ifdef __cplusplus
}
#endif
#endif
