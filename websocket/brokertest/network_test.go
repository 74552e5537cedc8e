package brokertest_test

import (
	"testing"

	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/brokertest"
)

func TestTheNetworkKeepsTheContract(t *testing.T) {
	network := brokertest.NewNetwork()
	brokertest.Test(t, brokertest.Engine{
		Open: func(t *testing.T) broker.Broker { return network.Broker() },
		Cut: func(t *testing.T) func() {
			network.Cut()
			return network.Mend
		},
		Restart: func(t *testing.T) { network.Crash() },
	})
}
