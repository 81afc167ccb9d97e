// Text as the content or an attribute of HTML and XML. Called by whoever writes a report as a page,
// and by chat templates.
#pragma once

#include <string>
#include <string_view>

namespace mortise::base {

// `& < > ' "` as entities, spelled as markupsafe does (Jinja's filter `escape`). [any]
std::string escape_entities(std::string_view text);
// The same for a page or an XML file. Control characters, which XML 1.0 cannot hold, become blanks,
// but for the end of a line and the tabulator. [any]
std::string escape_markup(std::string_view text);

}  // namespace mortise::base
