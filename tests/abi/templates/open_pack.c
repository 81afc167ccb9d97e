/* open_pack LIBRARY PLUGIN_ID INTERFACE...: loads a pack as the host does and asks for its tables.
 *
 * Run by check_template.cmake. Written in C, so that the headers are used from C as well. Offers no
 * service at all: a pack must load without.
 */
#include <dlfcn.h>
#include <mortise/entry.h>
#include <stdio.h>
#include <string.h>

static const void* no_service(mortise_host* host, mortise_text id) {
  (void)host, (void)id;
  return NULL;
}

typedef mortise_status (*entry_function)(const mortise_hello*, mortise_hello_reply*);

int main(int argc, char** argv) {
  mortise_hello hello;
  mortise_hello_reply reply;
  if (argc < 4) return 2;
  memset(&hello, 0, sizeof(hello));
  memset(&reply, 0, sizeof(reply));
  hello.magic = reply.magic = MORTISE_MAGIC;
  hello.struct_size = sizeof(hello);
  reply.struct_size = sizeof(reply);
  hello.generation = MORTISE_ABI_GENERATION;
  hello.host_minor = MORTISE_ABI_MINOR;
  hello.flags = MORTISE_HELLO_ALLOW_DRAFT;
  hello.get_service = no_service;

  void* handle = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) return fprintf(stderr, "%s\n", dlerror()), 1;
  entry_function entry = NULL;
  void* symbol = dlsym(handle, "mortise_entry_1");
  memcpy(&entry, &symbol, sizeof(entry));
  if (entry == NULL) return fprintf(stderr, "mortise_entry_1 is not exported\n"), 1;
  const mortise_status status = entry(&hello, &reply);
  if (status != MORTISE_STATUS_OK) return fprintf(stderr, "refused with %d\n", status), 1;
  if (reply.plugin_id.size_bytes != strlen(argv[2]) ||
      memcmp(reply.plugin_id.data, argv[2], strlen(argv[2])) != 0) {
    return fprintf(stderr, "the reply has another id than %s\n", argv[2]), 1;
  }
  for (int i = 3; i < argc; ++i) {
    const mortise_text id = {argv[i], strlen(argv[i])};
    const mortise_sink* table = reply.get_interface(id); /* any struct that begins with a size */
    if (table == NULL || table->struct_size <= 8) {
      return fprintf(stderr, "no table for %s\n", argv[i]), 1;
    }
  }
  return 0;
}
