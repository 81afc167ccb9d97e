/* mortise/draft/tokenizer_trainer.h: learns a tokenizer from texts. DRAFT: may change until 1.0.
 *
 * Idea. create with a configuration, add batches of texts, then finish writes the text of a
 * tokenizer.json that a tokenizer plugin reads. The result depends on the configuration and on the
 * texts as a multiset: not on their order, nor on how they were cut into batches, nor on threads.
 *
 * Configuration, a JSON object that the plugin's own schema checks: "vocab_size" (with the special
 * tokens), "special_tokens" (array of texts, which get the lowest ids in this order), "pattern"
 * (how a text is cut before merging: a name the plugin knows, such as "gpt2", or a regular
 * expression).
 */
#ifndef MORTISE_DRAFT_TOKENIZER_TRAINER_H
#define MORTISE_DRAFT_TOKENIZER_TRAINER_H

#include <mortise/arrow.h>
#include <mortise/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_TOKENIZER_TRAINER "mortise.tokenizer.trainer/1"

/* Owned by the plugin, ended with destroy. */
typedef struct mortise_tokenizer_trainer_instance mortise_tokenizer_trainer_instance;

/* The table of MORTISE_TOKENIZER_TRAINER. */
typedef struct mortise_tokenizer_trainer {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* config: JSON object, borrowed. Errors: INVALID_ARGUMENT naming the field, for instance a
   * vocab_size that is smaller than what must be in it. [any] */
  mortise_status (*create)(mortise_text config, mortise_tokenizer_trainer_instance** out_instance,
                           mortise_error* error);

  /* NULL is allowed. [serial] */
  void (*destroy)(mortise_tokenizer_trainer_instance* instance);

  /* Counts texts. texts: utf8 array ("u"), borrowed. On an error the instance is as before the
   * call. Errors: INVALID_ARGUMENT with row and byte for text that is not UTF-8;
   * RESOURCE_EXHAUSTED. [serial] */
  mortise_status (*add)(mortise_tokenizer_trainer_instance* instance,
                        const struct ArrowArray* texts, mortise_error* error);

  /* Learns, and writes the text of tokenizer.json. Long work: reports progress and asks whether it
   * is cancelled. May be called again and gives the same. When the texts allow fewer merges than
   * asked for, the vocabulary is smaller; that is no error. [serial] */
  mortise_status (*finish)(mortise_tokenizer_trainer_instance* instance,
                           mortise_sink* tokenizer_json, mortise_error* error);
} mortise_tokenizer_trainer;

#ifdef __cplusplus
}
#endif
#endif
