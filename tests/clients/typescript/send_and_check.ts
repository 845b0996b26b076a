/**
 * Sends a code to NUMBER, asks the person for it, and checks it.
 *
 * Exits with 0 if the person proved to have the phone, 1 if not, 2 if the service refused to try.
 */
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline/promises";
import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import {
  CheckOtpRequest,
  type CheckOtpResponse,
  OtpServiceClient,
  SendOtpRequest,
  type SendOtpResponse,
} from "./gen/otter/v1/otp_service";
import { CheckOutcome } from "./gen/otter/v1/verification";

type Done<Answer> = (error: ServiceError | null, answer: Answer) => void;

/** The answer to a call, or its error, as a promise. */
function answer<Answer>(call: (done: Done<Answer>) => void): Promise<Answer> {
  return new Promise((resolve, reject) => call((error, answer) => (error ? reject(error) : resolve(answer))));
}

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const typed = await terminal.question(question);
  terminal.close();
  return typed;
}

async function isVerified(address: string, apiKey: string, number: string): Promise<boolean> {
  // README: begin
  const otp = new OtpServiceClient(address, credentials.createInsecure());
  const key = new Metadata();
  key.set("authorization", `Bearer ${apiKey}`);
  const soon = () => ({ deadline: Date.now() + 5000 });

  const send = SendOtpRequest.fromPartial({ recipient: number, purpose: "login", requestId: randomUUID() });
  const sent = await answer<SendOtpResponse>((done) => otp.sendOtp(send, key, soon(), done));
  console.log(`A code is on its way to ${sent.maskedRecipient}.`);

  const code = await ask("Code: ");
  const check = CheckOtpRequest.fromPartial({ verificationId: sent.verificationId, code, purpose: "login" });
  const checked = await answer<CheckOtpResponse>((done) => otp.checkOtp(check, key, soon(), done));
  return checked.outcome === CheckOutcome.CHECK_OUTCOME_VERIFIED;
  // README: end
}

const { host } = new URL(process.env.OTTER_SERVER ?? "http://127.0.0.1:50051");
isVerified(host, process.env.OTTER_API_KEY ?? "", process.argv[2] ?? "").then(
  (verified) => {
    console.log(verified ? "verified" : "not verified");
    process.exitCode = verified ? 0 : 1;
  },
  (error: Error) => {
    console.error(error.message);
    process.exitCode = 2;
  },
);
