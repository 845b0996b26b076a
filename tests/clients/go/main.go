// Sends a code to NUMBER, asks the person for it, and checks it.
//
// Exits with 0 if the person proved to have the phone, 1 if not, 2 if the service refused to try.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	otterv1 "example.com/shop/gen/otter/v1"
)

func main() {
	server := os.Getenv("OTTER_SERVER")
	if server == "" {
		server = "http://127.0.0.1:50051"
	}
	location, err := url.Parse(server)
	if err != nil || len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: OTTER_SERVER=http://HOST:PORT OTTER_API_KEY=KEY send_and_check NUMBER")
		os.Exit(2)
	}
	verified, err := isVerified(location.Host, os.Getenv("OTTER_API_KEY"), os.Args[1])
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case verified:
		fmt.Println("verified")
	default:
		fmt.Println("not verified")
		os.Exit(1)
	}
}

func isVerified(address, apiKey, number string) (bool, error) {
	// README: begin
	connection, err := grpc.Dial(address, grpc.WithInsecure()) // NewClient and insecure.NewCredentials in new releases
	if err != nil {
		return false, err
	}
	defer connection.Close()
	otp := otterv1.NewOtpServiceClient(connection)
	caller := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+apiKey)

	soon, cancel := context.WithTimeout(caller, 5*time.Second)
	defer cancel()
	send := &otterv1.SendOtpRequest{Recipient: number, Purpose: "login", RequestId: uniqueID()}
	sent, err := otp.SendOtp(soon, send)
	if err != nil {
		return false, err
	}
	fmt.Printf("A code is on its way to %s.\nCode: ", sent.MaskedRecipient)

	var typed string
	if _, err := fmt.Scanln(&typed); err != nil {
		return false, err
	}
	soon, cancel = context.WithTimeout(caller, 5*time.Second)
	defer cancel()
	check := &otterv1.CheckOtpRequest{VerificationId: sent.VerificationId, Code: typed, Purpose: "login"}
	checked, err := otp.CheckOtp(soon, check)
	if err != nil {
		return false, err
	}
	return checked.Outcome == otterv1.CheckOutcome_CHECK_OUTCOME_VERIFIED, nil
	// README: end
}

// A name for one call, so that a repeat of it is not a second message.
func uniqueID() string {
	var bytes [16]byte
	if _, err := rand.Read(bytes[:]); err != nil {
		panic(err)
	}
	return fmt.Sprintf("%x", bytes)
}
