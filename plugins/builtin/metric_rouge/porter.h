// The Porter stemmer (Porter 1980, "An algorithm for suffix stripping") with the extensions that
// NLTK made the default, since that is what rouge-score uses.
//
// Called by tokenize.cpp. Knows lower-case ASCII letters and digits only. [any]
#pragma once

#include <string>
#include <string_view>

namespace mortise::metric_rouge {

std::string porter_stem(std::string_view word);

}  // namespace mortise::metric_rouge
