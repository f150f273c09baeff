// The vectors are those that UCloud publishes with its API and its clients.
#include "engine/cloud/ucloud_signature.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"

namespace trainmake {
namespace {

const UCloudKeys kDocumented = {"ucloudsomeone@example.com1296235120854146120",
                                "46f09bb9fab4f12dfc160dae12273d5332b5debe"};

std::string signature(UCloudParameters parameters) {
  parameters["PublicKey"] = kDocumented.public_key;
  return ucloud_signature(parameters, kDocumented.private_key);
}

const UCloudParameters kNewMachine = {{"Action", "CreateUHostInstance"},
                                      {"CPU", "2"},
                                      {"ChargeType", "Month"},
                                      {"DiskSpace", "10"},
                                      {"ImageId", "f43736e1-65a5-4bea-ad2e-8a46e18883c2"},
                                      {"LoginMode", "Password"},
                                      {"Memory", "2048"},
                                      {"Name", "Host01"},
                                      {"Password", "VUNsb3VkLmNu"},
                                      {"Quantity", "1"},
                                      {"Region", "cn-bj2"},
                                      {"Zone", "cn-bj2-04"}};

TEST(UCloudSignature, IsThatOfThePublishedCalls) {
  EXPECT_EQ(signature({{"Action", "DescribeUHostInstance"}, {"Limit", "10"}, {"Region", "cn-bj2"}}),
            "cba5cf5ec4d4233d206b1b54951e3787350a642f");
  EXPECT_EQ(signature(kNewMachine), "4f9ef5df2abab2c6fccd1e9515cb7e2df8c6bb65");
  UCloudParameters lent = kNewMachine;
  lent["SecurityToken"] = "some_stoken";
  EXPECT_EQ(signature(lent), "170c480ad176a247b324eb92a2cfe536aacfbd04");
}

TEST(UCloudSignature, SortsNumberedNamesAsText) {
  UCloudParameters parameters = {{"Action", "AllocateBackendBatch"}};
  const char* values[] = {"foo", "bar", "42"};
  for (int i = 0; i < 12; ++i) parameters[cat("Backends.", i)] = values[i % 3];
  EXPECT_EQ(signature(parameters), "6bc32642779f8cb0bb3d3f128b1c0688abf9a1a3");
}

TEST(UCloudSignature, AFormHasTheKeyAndTheSignature) {
  EXPECT_EQ(signed_ucloud_form({{"Action", "CreateBucket"},
                                {"BucketName", "demobucket"},
                                {"Region", "cn-bj"},
                                {"Type", "private"}},
                               kDocumented),
            "Action=CreateBucket&BucketName=demobucket&PublicKey=ucloudsomeone%40example."
            "com1296235120854146120&Region=cn-bj&Type=private&Signature="
            "05efa3309b09eb669e4d8935b04c3abf4d4cf80f");
}

}  // namespace
}  // namespace trainmake
