/* mortise/draft/device_stream.h: queues of work and events between them. DRAFT.
 *
 * Work on one stream runs in order; streams run beside each other unless an event says otherwise. A
 * device without queues gives one stream on which everything has already happened.
 */
#ifndef MORTISE_DRAFT_DEVICE_STREAM_H
#define MORTISE_DRAFT_DEVICE_STREAM_H

#include <mortise/draft/device_ops.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_DEVICE_STREAM "mortise.device_stream/1"

typedef struct mortise_event mortise_event;

typedef struct mortise_device_stream {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* New stream of a device; ends with destroy. [any] */
  mortise_status (*create)(int32_t device_id, mortise_stream** out_stream, mortise_error* error);
  /* Makes a handle for a stream of the vendor's runtime, which stays its maker's. [any] */
  mortise_status (*wrap)(int32_t device_id, void* native, mortise_stream** out_stream,
                         mortise_error* error);
  /* Waits for all work, then ends the handle. NULL is allowed. [serial] */
  void (*destroy)(mortise_stream* stream);
  /* Waits for all work; reports the first error of queued work. NULL is the default stream of
   * device 0. [any] */
  mortise_status (*synchronize)(mortise_stream* stream, mortise_error* error);

  /* [any] */
  mortise_status (*event_create)(int32_t device_id, mortise_event** out_event,
                                 mortise_error* error);
  /* NULL is allowed. [serial] */
  void (*event_destroy)(mortise_event* event);
  /* Marks the present end of the stream. [serial] */
  mortise_status (*event_record)(mortise_event* event, mortise_stream* stream,
                                 mortise_error* error);
  /* Work queued on `stream` from now on waits for the event. [serial] */
  mortise_status (*event_wait)(mortise_event* event, mortise_stream* stream, mortise_error* error);
  /* OK when the event has happened, UNAVAILABLE when not yet. [any] */
  mortise_status (*event_query)(mortise_event* event, mortise_error* error);
  /* Nanoseconds of the device between two events that have happened. [any] */
  mortise_status (*event_elapsed_ns)(mortise_event* begin, mortise_event* end,
                                     int64_t* out_elapsed_ns, mortise_error* error);
} mortise_device_stream;

#ifdef __cplusplus
}
#endif
#endif
