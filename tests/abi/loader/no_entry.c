/* A shared library that is no plugin. */
int mortise_entry_2(void);
__attribute__((visibility("default"))) int mortise_entry_2(void) {
  return 0;
}
