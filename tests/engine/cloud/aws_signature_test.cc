// The vectors are AWS's own, or were recomputed from what its SDK sends.
#include "engine/cloud/aws_signature.h"

#include <gtest/gtest.h>

#include "engine/base/hash.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

const AwsKeys kSuite = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};
const AwsKeys kDocumented = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
constexpr std::int64_t kAugust2015 = 1'440'938'160;  // 20150830T123600Z
constexpr std::int64_t kMay2013 = 1'369'353'600;     // 20130524T000000Z

std::string signature(HttpRequest request, const std::string& service, const AwsKeys& keys,
                      std::int64_t seconds = kAugust2015) {
  sign_aws(request, sha256_of(request.body).hex(), keys, {"us-east-1", service}, seconds * 1'000'000'000);
  const std::string& header = request.headers.back().second;
  return header.substr(header.rfind('=') + 1);
}

HttpRequest request(const std::string& method, const std::string& url, const std::string& body = "") {
  HttpRequest made;
  made.method = method;
  made.url = url;
  made.body = body;
  return made;
}

TEST(AwsSignature, IsThatOfThePublishedSuite) {
  EXPECT_EQ(signature(request("GET", "https://example.amazonaws.com/"), "service", kSuite),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

TEST(AwsSignature, IsThatOfTheDocumentedObject) {
  HttpRequest get = request("GET", "https://examplebucket.s3.amazonaws.com/test.txt");
  get.headers = {{"Range", "bytes=0-9"}};
  EXPECT_EQ(signature(get, "s3", kDocumented, kMay2013),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(AwsSignature, CoversObjectsListsAndUploads) {
  const std::string bucket = "https://bkt.s3.us-east-1.amazonaws.com/";
  EXPECT_EQ(signature(request("PUT", bucket + "mnist/a%20b.bin", "hello world"), "s3", kSuite),
            "bd10196fa5940197584ea1bdd2b6b531c0755967532657205f1f0d897a940bc9");
  EXPECT_EQ(signature(request("GET", bucket + "?prefix=mnist%2F&max-keys=1000&list-type=2"), "s3", kSuite),
            "2b8fb4d66e4f101dfe43fcd43ba4f83995dd239cf3c9197f1e4e69f833a482ad");
  EXPECT_EQ(signature(request("POST", bucket + "mnist/a.bin?uploads"), "s3", kSuite),
            "1311accd57a774cc04e56c983d4e5922ead5e9c32a8b62656fd2907c4b9f7db8");
}

TEST(AwsSignature, CoversTheTokenOfTemporaryKeys) {
  HttpRequest post = request("POST", "https://api.sagemaker.us-east-1.amazonaws.com/",
                             R"({"TrainingJobName":"mnist-2020-04-15-03-26-49-992"})");
  post.headers = {{"Content-Type", "application/x-amz-json-1.1"},
                  {"X-Amz-Target", "SageMaker.DescribeTrainingJob"}};
  EXPECT_EQ(signature(post, "sagemaker", kSuite),
            "3c4f7c3b82d97fd70a9c16e4994de55fecca10492a6198612412b8d121f2412e");
  AwsKeys temporary = kSuite;
  temporary.token = "EXAMPLETOKEN";
  EXPECT_EQ(signature(post, "sagemaker", temporary),
            "9edb72f214f74e5918980ef71f5a85233364d33a4dde9424bb5930ebad901e95");
}

TEST(AwsSignature, SortsNamesThatBeginAlike) {
  const std::string bucket = "https://b.example.com/?";
  EXPECT_EQ(signature(request("GET", bucket + "a=1&a-b=2&a=0"), "s3", kSuite),
            signature(request("GET", bucket + "a=0&a=1&a-b=2"), "s3", kSuite));
}

}  // namespace
}  // namespace trainmake
