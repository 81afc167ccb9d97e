/* Device operations that do nothing: what is left is the price of the call. */
#include <mortise/draft/device_ops.h>
#include <mortise/entry.h>
#include <string.h>

static mortise_status query(const mortise_op_query* query, uint32_t* out_answer,
                            mortise_error* error) {
  (void)query, (void)error;
  *out_answer = MORTISE_OP_NATIVE;
  return MORTISE_STATUS_OK;
}

static mortise_status prepare(const mortise_op_query* query, mortise_op** out_op,
                              mortise_error* error) {
  static int one;
  (void)query, (void)error;
  *out_op = (mortise_op*)&one;
  return MORTISE_STATUS_OK;
}

static mortise_status launch(mortise_op* op, const mortise_op_call* call, mortise_error* error) {
  (void)op, (void)error;
  return call->inputs_count == 0 ? MORTISE_STATUS_OK : MORTISE_STATUS_INVALID_ARGUMENT;
}

static void op_destroy(mortise_op* op) {
  (void)op;
}

static const mortise_device_ops table = {
    sizeof(mortise_device_ops), 0, &query, &prepare, &launch, &op_destroy};

static const void* get_interface(mortise_text id) {
  return id.size_bytes == strlen(MORTISE_DEVICE_OPS) &&
                 memcmp(id.data, MORTISE_DEVICE_OPS, id.size_bytes) == 0
             ? &table
             : NULL;
}

mortise_status mortise_entry_1(const mortise_hello* hello, mortise_hello_reply* reply) {
  (void)hello;
  reply->generation = MORTISE_ABI_GENERATION;
  reply->plugin_id.data = "com.example.nothing";
  reply->plugin_id.size_bytes = strlen("com.example.nothing");
  reply->get_interface = &get_interface;
  return MORTISE_STATUS_OK;
}
