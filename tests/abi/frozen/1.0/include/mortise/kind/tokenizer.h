/* mortise/kind/tokenizer.h: text to token ids and back.
 *
 * Idea. An instance is made from the files of a model and never changes, so all calls on it are
 * [parallel]; results never live in the instance. Encoding takes and gives Arrow arrays, so a
 * thousand texts cost one call. Streaming output needs a decoder of its own, since one token may
 * hold a part of a character.
 *
 * Exactness is the point: ids equal those of the tokenizer whose files these are, for every text.
 * What the files ask for and the plugin does not do is refused by name in create, never ignored.
 */
#ifndef MORTISE_KIND_TOKENIZER_H
#define MORTISE_KIND_TOKENIZER_H

#include <mortise/arrow.h>
#include <mortise/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_KIND_TOKENIZER "mortise.tokenizer/1"

/* Flags of mortise_encode_options. */
#define MORTISE_ENCODE_ADD_SPECIAL UINT32_C(1) /* what the post-processor adds: bos, eos */
#define MORTISE_ENCODE_PARSE_SPECIAL                                                        \
  UINT32_C(2)                              /* special tokens written in the text are tokens \
                                            */
#define MORTISE_ENCODE_OFFSETS UINT32_C(4) /* also give byte offsets */

typedef struct mortise_encode_options {
  uint32_t struct_size;
  uint32_t flags;             /* MORTISE_ENCODE_* */
  uint32_t length_tokens_max; /* 0: no bound; a longer text is cut at the right */
  uint32_t reserved[5];       /* zero */
} mortise_encode_options;

/* Flags of mortise_decode_options. */
#define MORTISE_DECODE_SKIP_SPECIAL UINT32_C(1)

typedef struct mortise_decode_options {
  uint32_t struct_size;
  uint32_t flags;       /* MORTISE_DECODE_* */
  uint32_t reserved[6]; /* zero */
} mortise_decode_options;

/* Ids are -1 where the tokenizer has none. */
typedef struct mortise_tokenizer_facts {
  uint32_t struct_size;
  uint32_t flags;       /* zero */
  uint32_t vocab_count; /* highest id + 1 */
  int32_t bos_id, eos_id, unk_id, pad_id;
  uint32_t reserved[5]; /* zero */
} mortise_tokenizer_facts;

typedef struct mortise_tokenizer_instance mortise_tokenizer_instance;
typedef struct mortise_decoder
    mortise_decoder; /* one stream of tokens; ends with decoder_destroy */

/* The table of MORTISE_KIND_TOKENIZER. */
typedef struct mortise_tokenizer {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* Reads the tokenizer. uri: a folder or a file for mortise.files/1. config: JSON object. Errors:
   * NOT_FOUND; INVALID_ARGUMENT naming the file and the part that is broken; UNIMPLEMENTED naming
   * the part (normaliser, pre-tokeniser, ...) that this plugin does not do. [any] */
  mortise_status (*create)(mortise_text uri, mortise_text config,
                           mortise_tokenizer_instance** out_instance, mortise_error* error);

  /* Ends an instance; its decoders must have ended. NULL is allowed. [serial] */
  void (*destroy)(mortise_tokenizer_instance* instance);

  /* Fills facts. [parallel] */
  mortise_status (*describe)(const mortise_tokenizer_instance* instance,
                             mortise_tokenizer_facts* out_facts, mortise_error* error);

  /* texts: utf8 array ("u"), borrowed. out: struct array {ids: list<int32>, offsets: list<int64>},
   * one row a text, in order; offsets holds two numbers a token, begin and end in bytes of the
   * text, and is an empty list unless asked for. The caller releases out. Errors: INVALID_ARGUMENT
   * with row and byte for text that is not UTF-8. [parallel] */
  mortise_status (*encode_batch)(const mortise_tokenizer_instance* instance,
                                 const struct ArrowArray* texts,
                                 const mortise_encode_options* options, struct ArrowArray* out,
                                 mortise_error* error);

  /* ids: list<int32> array ("+l" of "i"), borrowed. out: utf8 array; bytes that are no UTF-8 come
   * as U+FFFD. Errors: OUT_OF_RANGE with row for an unknown id. [parallel] */
  mortise_status (*decode_batch)(const mortise_tokenizer_instance* instance,
                                 const struct ArrowArray* ids,
                                 const mortise_decode_options* options, struct ArrowArray* out,
                                 mortise_error* error);

  /* out: binary array ("z") of vocab_count rows: the bytes that each id stands for, null where an
   * id is unused. The caller releases it. [parallel] */
  mortise_status (*vocab)(const mortise_tokenizer_instance* instance, struct ArrowArray* out,
                          mortise_error* error);

  /* Writes 64 hex digits: a hash over everything that decides the ids (vocabulary, merges, rules,
   * the plugin's own version of the algorithm). Kept in the run record. [parallel] */
  mortise_status (*fingerprint)(const mortise_tokenizer_instance* instance, mortise_sink* out,
                                mortise_error* error);

  /* Starts to decode one stream of tokens. [parallel] */
  mortise_status (*decoder_create)(const mortise_tokenizer_instance* instance,
                                   const mortise_decode_options* options,
                                   mortise_decoder** out_decoder, mortise_error* error);

  /* Adds a token and writes the text that is now certain, whole characters only. All pieces and the
   * flush together equal decode_batch of all ids. [serial] */
  mortise_status (*decoder_push)(mortise_decoder* decoder, int32_t id, mortise_sink* out,
                                 mortise_error* error);

  /* Writes what is left. [serial] */
  mortise_status (*decoder_flush)(mortise_decoder* decoder, mortise_sink* out,
                                  mortise_error* error);

  /* Ends a decoder. NULL is allowed. [serial] */
  void (*decoder_destroy)(mortise_decoder* decoder);
} mortise_tokenizer;

#ifdef __cplusplus
}
#endif
#endif
