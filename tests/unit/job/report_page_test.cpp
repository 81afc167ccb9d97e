#include "job/report_page.h"

#include <gtest/gtest.h>

namespace mortise::job {
namespace {

base::Json report(const std::string& text) {
  return base::parse_json(text).value();
}

TEST(ReportPage, ShowsFindingsInBothLanguagesAndPlots) {
  const std::string page = report_page(report(
      R"({"task_type":"vqa","rows_file":"a.jsonl","rows_count":2,"bad_rows_count":1,"accepted":false,
      "codes":{"media_missing":1},"mapping":{"question":"query"},
      "findings":[{"severity":"error","code":"media_missing","row":2,"field":"/image_path",
      "message":"The row names x.png.","hint":"Add it."}],
      "statistics":{"lengths":{"histogram":[{"from":1,"to":2,"count":9}],"max":2},
      "labels":{"labels":{"0":3},"entropy":0}}})"));
  EXPECT_NE(page.find("The data set is not accepted."), page.npos);
  EXPECT_NE(page.find("数据集未通过检查"), page.npos);
  EXPECT_NE(page.find("A row names a file that is not in the upload."), page.npos);
  EXPECT_NE(page.find("The row names x.png."), page.npos);
  EXPECT_NE(page.find("<svg"), page.npos);
}

TEST(ReportPage, IsInertWhateverTheRowsSay) {
  const std::string hostile = R"(<script>alert(1)</script>)";
  const std::string page = report_page(report(
      R"({"rows_file":"<script>alert(1)</script>","codes":{"blanks":1},"task_type":"<script>",
      "mapping":{"<script>":"\"><script>"},"findings":[{"code":"blanks","row":1,
      "field":"<script>","message":"<script>alert(1)</script>","hint":"<script>"}],
      "statistics":{"labels":{"labels":{"<script>":1}},"license":{"file":"","rows":{"<script>":1}}}})"));
  EXPECT_EQ(page.find("<script"), page.npos);
  EXPECT_EQ(page.find("http"), page.npos);
  EXPECT_NE(page.find("&lt;script&gt;"), page.npos);
}

TEST(ReportPage, AnEmptyReportIsStillAPage) {
  const std::string page = report_page(base::Json::object());
  EXPECT_NE(page.find("</html>"), page.npos);
  EXPECT_NE(page.find("None."), page.npos);
}

}  // namespace
}  // namespace mortise::job
