#include "tests/support/store_conformance.h"

namespace trainmake {
namespace {

INSTANTIATE_TEST_SUITE_P(Dir, StoreConformance, testing::Values(dir_under_test));
INSTANTIATE_TEST_SUITE_P(Http, StoreConformance,
                         testing::Values(http_under_test, nginx_under_test, bare_nginx_under_test));
INSTANTIATE_TEST_SUITE_P(S3, StoreConformance, testing::Values(s3_under_test));
INSTANTIATE_TEST_SUITE_P(Ufile, StoreConformance, testing::Values(ufile_under_test));

}  // namespace
}  // namespace trainmake
