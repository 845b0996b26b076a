"""Sends a code to NUMBER, asks the person for it, and checks it.

Exits with 0 if the person proved to have the phone, 1 if not, 2 if the service refused to try.
"""

import os
import sys
from urllib.parse import urlsplit
from uuid import uuid4

import grpc
from otter.v1 import otp_service_pb2 as otter
from otter.v1 import otp_service_pb2_grpc, verification_pb2


def is_verified(address: str, api_key: str, number: str) -> bool:
    # README: begin
    otp = otp_service_pb2_grpc.OtpServiceStub(grpc.insecure_channel(address))
    caller = {"metadata": [("authorization", f"Bearer {api_key}")], "timeout": 5}

    send = otter.SendOtpRequest(recipient=number, purpose="login", request_id=str(uuid4()))
    sent = otp.SendOtp(send, **caller)
    print(f"A code is on its way to {sent.masked_recipient}.")

    typed = input("Code: ")
    check = otter.CheckOtpRequest(verification_id=sent.verification_id, code=typed, purpose="login")
    checked = otp.CheckOtp(check, **caller)
    return checked.outcome == verification_pb2.CHECK_OUTCOME_VERIFIED
    # README: end


if __name__ == "__main__":
    server = os.environ.get("OTTER_SERVER", "http://127.0.0.1:50051")
    try:
        verified = is_verified(urlsplit(server).netloc, os.environ["OTTER_API_KEY"], sys.argv[1])
    except grpc.RpcError as error:
        print(f"{error.code().name}: {error.details()}", file=sys.stderr)
        sys.exit(2)
    print("verified" if verified else "not verified")
    sys.exit(0 if verified else 1)
