// The table of what a check can find (schemas/checks.json): the code, how grave it is, how to mend
// it. Every finding is made from its line. Called by the rules; job/report_page shows the same
// table. [any]
#pragma once

#include <string>
#include <string_view>

#include "ingest/finding.h"

namespace mortise::ingest {

// A finding with the severity and the hint of its code. A code that the table lacks is a mistake of
// ours: the finding is an error without a hint, and the tests fail.
Finding make_finding(std::string_view code, std::string field, std::string message,
                     std::string_view task_type = {});

}  // namespace mortise::ingest
