/* Every C header of the SDK, for layout.c and layout.cpp. make_abi.py fails to compile its table
 * when one is missing here.
 */
#include <mortise/arrow.h>
#include <mortise/dlpack.h>
#include <mortise/draft/device_collective.h>
#include <mortise/draft/device_discovery.h>
#include <mortise/draft/device_memory.h>
#include <mortise/draft/device_op_list.h>
#include <mortise/draft/device_ops.h>
#include <mortise/draft/device_partition.h>
#include <mortise/draft/device_stream.h>
#include <mortise/draft/device_telemetry.h>
#include <mortise/draft/device_torch_bridge.h>
#include <mortise/draft/loss.h>
#include <mortise/draft/loss_preference.h>
#include <mortise/draft/tokenizer_trainer.h>
#include <mortise/entry.h>
#include <mortise/kind/format.h>
#include <mortise/kind/format_writer.h>
#include <mortise/kind/metric.h>
#include <mortise/kind/tokenizer.h>
#include <mortise/plugin.h>
#include <mortise/service/config.h>
#include <mortise/service/files.h>
#include <mortise/service/log.h>
#include <mortise/service/memory.h>
#include <mortise/service/pool.h>
#include <mortise/service/progress.h>
#include <mortise/service/rng.h>
#include <mortise/status.h>
#include <mortise/view.h>
