// The face of the pack: mortise.loss.preference/1. Called by the engine through the C ABI.
#include <mortise/cpp/plugin.hpp>

#include "kto.h"

MORTISE_PLUGIN("mortise.loss_kto", {MORTISE_KIND_LOSS_PREFERENCE,
                                    mortise::sdk::preference_loss_table<mortise::loss_kto::Kto>()});
